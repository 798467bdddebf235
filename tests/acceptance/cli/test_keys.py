"""`notifier keys`: a key is shown once, can be told apart, and can be ended."""

import sqlite3

from notifier.domain.keys import key_id_of


def test_a_new_key_is_shown_once_and_only_its_hash_is_kept(migrated):
    made = migrated.run("keys", "create", "--name", "billing", "--json").json()
    assert set(made) == {"id", "key"}
    assert key_id_of(made["key"]) == made["id"]
    listed = migrated.run("keys", "list").out + migrated.run("keys", "list", "--json").out
    assert made["id"] in listed
    secret = made["key"].rpartition("_")[2]
    assert secret not in listed
    with sqlite3.connect(migrated.folder / "notifier.db") as connection:
        assert secret not in "".join(connection.iterdump())
    connection.close()


def test_what_the_key_may_do_stands_in_the_list(migrated):
    migrated.run(
        *"keys create --name ops --tenant acme --scopes read,admin --channels email,sms".split(),
        *"--highest-priority medium --expires-days 30".split(),
    )
    (row,) = migrated.run("keys", "list", "--json").json()["data"]
    assert row["scopes"] == ["admin", "read"]
    assert row["channels"] == ["email", "sms"]
    assert (row["tenant"], row["highest"], row["state"], row["name"]) == ("acme", "medium", "active", "ops")
    assert row["expires"] > row["created"]


def test_a_revoked_key_stays_in_the_list_as_revoked(migrated):
    key_id = migrated.run("keys", "create", "--name", "old", "--json").json()["id"]
    migrated.run("keys", "revoke", key_id)
    migrated.run("keys", "revoke", key_id)
    (row,) = migrated.run("keys", "list", "--json").json()["data"]
    assert row["state"] == "revoked"


def test_words_say_that_the_key_is_shown_only_now(migrated):
    out = migrated.run("keys", "create", "--name", "x").out
    assert "shown only now" in out
    assert key_id_of(out.splitlines()[0])


def test_a_key_that_is_not_there_can_t_be_revoked(migrated):
    assert "there is no key abcd1234" in migrated.run("keys", "revoke", "abcd1234", code=1).err
