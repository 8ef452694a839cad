"""The report: one page of HTML that needs nothing else, with every lease, finding and figure in it."""
