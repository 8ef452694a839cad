"""What Alembic runs a migration with: the connection that upgrade.py hands over."""

from alembic import context

from backends.sql.schema import METADATA, version

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=version.name,
    render_as_batch=True,  # SQLite alters by copying
)
with context.begin_transaction():
    context.run_migrations()
