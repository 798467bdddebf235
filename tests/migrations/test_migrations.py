"""The schema: made by one line of migrations, equal to what the code believes, and taken back again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from notifier.domain.lifecycle import Status
from notifier.storage import books, health, migrations
from notifier.storage.books import Books
from notifier.storage.tables import metadata, notifications
from tests.conformance.storage_kit import engine_at, keep, new

ROOT = Path(__file__).resolve().parents[2]


def test_there_is_one_head_and_one_base():
    script = ScriptDirectory.from_config(Config(str(migrations.ini_path())))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    assert migrations.head() == script.get_heads()[0]


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url):
    migrations.upgrade(database_url)

    def ours(name, type_, parent_names):
        return not (type_ == "table" and (name == "alembic_version" or name.startswith("notifications_")))

    with engine_at(database_url) as engine, engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "include_name": ours}
        )
        assert compare_metadata(context, metadata) == []


def test_up_down_and_up_again_leaves_nothing_between(database_url):
    with engine_at(database_url) as engine:
        migrations.upgrade(database_url)
        assert migrations.current(engine) == migrations.head()
        assert health.at_head(engine)
        migrations.downgrade(database_url, "base")
        assert migrations.current(engine) is None
        assert not health.at_head(engine)
        assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
        migrations.upgrade(database_url)
        assert set(metadata.tables) <= set(inspect(engine).get_table_names())


def test_what_was_kept_before_the_books_were_counts_as_accepted(database_url):
    """Up, down and up again, with rows kept in between: the sum holds after each way up."""
    migrations.upgrade(database_url)
    with engine_at(database_url) as engine:
        keep(engine, [new() for _ in range(3)])
        migrations.downgrade(database_url, "0001")
        assert "accepted" not in inspect(engine).get_table_names()
        migrations.upgrade(database_url)
        assert books.read(engine) == Books(3, {Status.QUEUED: 3})
        keep(engine, [new(), new()])
        migrations.downgrade(database_url, "0001")
        migrations.upgrade(database_url)
        assert books.read(engine) == Books(5, {Status.QUEUED: 5})


def test_upgrading_twice_changes_nothing(database_url):
    migrations.upgrade(database_url)
    migrations.upgrade(database_url)
    with engine_at(database_url) as engine:
        assert health.at_head(engine)
        health.ping(engine)


def test_notifications_are_partitioned_with_room_on_every_page_and_nothing_refers_to_them(postgres_url):
    migrations.upgrade(postgres_url)
    with engine_at(postgres_url) as engine, engine.connect() as connection:
        kind = connection.execute(
            text("select partstrat from pg_partitioned_table where partrelid = 'notifications'::regclass")
        ).scalar_one()
        partitions = connection.execute(
            text(
                "select c.relname, c.reloptions, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i"
                " join pg_class c on c.oid = i.inhrelid where i.inhparent = 'notifications'::regclass"
            )
        ).all()
        foreign_keys = connection.execute(
            text("select count(*) from pg_constraint where contype = 'f'")
        ).scalar_one()
    assert kind == "r"
    assert [tuple(one) for one in partitions] == [("notifications_default", ["fillfactor=70"], "DEFAULT")]
    assert foreign_keys == 0


def test_alembic_itself_migrates_the_database_that_the_environment_names(database_url):
    done = _alembic(["upgrade", "head"], NOTIFIER_DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    with engine_at(database_url) as engine:
        assert health.at_head(engine)


@pytest.mark.parametrize("dialect", ["postgresql+psycopg2://nobody@localhost/none", "sqlite:///none.db"])
def test_alembic_prints_the_sql_without_a_database(dialect):
    done = _alembic(["upgrade", "head", "--sql"], NOTIFIER_DATABASE_URL=dialect)
    assert done.returncode == 0, done.stderr
    assert "CREATE TABLE notifications" in done.stdout
    assert "INSERT INTO accepted" in done.stdout


def test_a_percent_sign_in_the_url_is_taken_as_it_is(tmp_path):
    folder = tmp_path / "50%off"
    folder.mkdir()
    migrations.upgrade(f"sqlite:///{folder}/a.db")
    assert (folder / "a.db").exists()


def _alembic(arguments, **environment):
    own = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(migrations.ini_path()), *arguments],
        cwd=ROOT,
        env=own | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_who_was_suppressed_before_topics_came_is_so_for_all_of_them(database_url):
    """Up keeps every row for every topic; down keeps those and forgets what was for one topic."""
    migrations.upgrade(database_url)
    migrations.downgrade(database_url, "0007")
    row = "insert into suppressions ({0}, reason, source, created_at) values ({1}, 'r', 's', {2})"
    with engine_at(database_url) as engine:
        moment = "0" if engine.dialect.name == "sqlite" else "now()"
        with engine.begin() as connection:
            old = row.format("tenant, channel, recipient_hash", "'t', 'email', 'h'", moment)
            connection.execute(text(old))
        migrations.upgrade(database_url)
        with engine.begin() as connection:
            new_one = row.format(
                "tenant, channel, recipient_hash, topic", "'t', 'email', 'h', 'news'", moment
            )
            connection.execute(text(new_one))
            # An older worker names no topic.
            connection.execute(text(old.replace("'h'", "'i'")))
            found = connection.execute(
                text("select recipient_hash, topic from suppressions order by 1, 2")
            ).all()
        assert [tuple(one) for one in found] == [("h", ""), ("h", "news"), ("i", "")]
        migrations.downgrade(database_url, "0007")
        with engine.connect() as connection:
            found = connection.execute(text("select recipient_hash from suppressions order by 1")).all()
        assert [tuple(one) for one in found] == [("h",), ("i",)]


_INDEXES = """
select c.relname, x.indisvalid from pg_index x join pg_class c on c.oid = x.indexrelid
where c.relname like '%provider_reference%' order by 1
"""


def test_the_index_of_receipts_is_built_on_every_partition_beside_the_traffic(postgres_url):
    """Also a second time, after a run that was broken off: half an index serves nobody and would stay so."""
    migrations.upgrade(postgres_url, "0010")
    with engine_at(postgres_url) as engine:
        with engine.begin() as connection:
            first, last = "01900000-0000-7000-8000-000000000000", "01a00000-0000-7000-8000-000000000000"
            connection.execute(
                text(
                    "create table notifications_old partition of notifications"
                    f" for values from ('{first}') to ('{last}')"
                )
            )
            connection.execute(text("alter table notifications add column provider_reference text"))
            connection.execute(
                text("create index notifications_old_provider_reference_idx on notifications_old (id)")
            )
        with engine.connect() as busy:
            # Whoever only reads and writes rows is not waited for, nor has to wait.
            busy.execute(text("select 1"))
            migrations.upgrade(postgres_url, "0011")
        with engine.connect() as connection:
            found = [tuple(one) for one in connection.execute(text(_INDEXES))]
            assert found == [
                ("ix_notifications_provider_reference", True),
                ("notifications_default_provider_reference_idx", True),
                ("notifications_old_provider_reference_idx", True),
            ]
            connection.execute(text("update alembic_version set version_num = '0010'"))
            connection.execute(text("drop table parked_receipts"))
            connection.commit()
        migrations.upgrade(postgres_url, "0011")
        with engine.connect() as connection:
            assert [tuple(one) for one in connection.execute(text(_INDEXES))] == found
        migrations.downgrade(postgres_url, "0010")
        with engine.connect() as connection:
            assert connection.execute(text(_INDEXES)).all() == []


def test_what_was_sent_before_receipts_came_stays_as_it_is(database_url):
    migrations.upgrade(database_url)
    with engine_at(database_url) as engine:
        wanted = keep(engine, [new()])[0].id
        migrations.downgrade(database_url, "0010")
        migrations.upgrade(database_url)
        with engine.connect() as connection:
            found = connection.execute(select(notifications).where(notifications.c.id == wanted)).one()
        assert (found.status, found.provider_reference, found.receipts) == ("queued", None, None)
