"""Test keys at the command line: made, told apart, and their data read and sent without a service."""

import pytest

SMS = ("send", "--phone", "+447700900001", "--text", "hello")


def test_a_test_key_says_what_it_is_in_its_text_and_in_the_list(migrated):
    made = migrated.run(
        "keys", "create", "--name", "try", "--mode", "test", "--tenant", "acme", "--json"
    ).json()
    assert made["key"].startswith(f"nk_test_{made['id']}_")
    assert migrated.run("keys", "create", "--name", "real").out.startswith("nk_live_")
    rows = {row["name"]: row for row in migrated.run("keys", "list", "--json").json()["data"]}
    assert {name: row["mode"] for name, row in rows.items()} == {"try": "test", "real": "live"}
    assert rows["try"]["tenant"] == "acme", "the tenant that it was made for"
    head, *lines = migrated.run("keys", "list").out.splitlines()
    assert "mode" in head
    assert ["test" in line.split() for line in lines] == [True, False]


def test_the_data_of_a_tenants_test_keys_has_a_name(migrated):
    """`--tenant NAME/test` sends what nobody gets, and reads what live keys do not see."""
    plan = migrated.run(*SMS, "--tenant", "acme/test", "--dry-run", "--json").json()
    assert plan["provider"] == "simulator"
    made = migrated.run(*SMS, "--tenant", "acme/test").out.strip()
    assert migrated.run("status", made, "--tenant", "acme/test", "--json").json()["mode"] == "test"
    migrated.run("status", made, "--tenant", "acme", code=1)
    assert "only a test key" in migrated.run(*SMS, code=2).err


@pytest.mark.parametrize("tenant", ["/test", "acme/live", "acme/test/test", "acme/"])
def test_no_other_name_has_a_slash(migrated, tenant):
    assert "--tenant" in migrated.run(*SMS, "--tenant", tenant, code=2).err
