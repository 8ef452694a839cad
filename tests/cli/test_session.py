"""The session in README is what the commands say today."""

import re
import shutil
from pathlib import Path

from tests import session
from tests.conftest import missing

README = Path(__file__).parents[2] / "README.md"


def test_the_session_in_the_readme_is_what_happens(as_root: None, go_host_local: Path) -> None:
    if not shutil.which("podman"):
        missing("podman")
    (shown,) = re.findall(r"<!-- session:begin -->\n```\n(.*?)```\n<!-- session:end -->", README.read_text(), re.S)
    assert shown == session.record(go_host_local), "run: python -m tests.session --write"
