"""Where `notifier send` finds a service: both variables or neither, and never the key in an error."""

import pytest

from notifier.settings.remote import Remote, load_remote
from notifier.settings.values import SettingsError

#: Of a key's form; one value, so that every run has the same tests.
KEY = f"nk_live_abcdefgh_{'k' * 43}"


def test_neither_means_this_process():
    assert load_remote({}) is None
    assert load_remote({"NOTIFIER_URL": " ", "NOTIFIER_API_KEY": ""}) is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://notify.example.com/base", "http://[::1]:80/"]
)
def test_both_are_taken_as_they_stand(url):
    found = load_remote({"NOTIFIER_URL": url, "NOTIFIER_API_KEY": KEY})
    assert found == Remote(url.rstrip("/"), KEY)
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("url", "key", "names"),
    [
        ("http://h", "", ["NOTIFIER_API_KEY"]),
        ("", KEY, ["NOTIFIER_URL"]),
        ("host:8080", KEY, ["NOTIFIER_URL"]),
        ("ftp://h", KEY, ["NOTIFIER_URL"]),
        ("http://u:p@h", KEY, ["NOTIFIER_URL"]),
        ("http://h:99999", KEY, ["NOTIFIER_URL"]),
        ("http://h/?x", KEY, ["NOTIFIER_URL"]),
        ("http://h/#x", KEY, ["NOTIFIER_URL"]),
        ("http://h\r\nX: y", KEY, ["NOTIFIER_URL"]),
        ("http://", KEY[:-1], ["NOTIFIER_URL", "NOTIFIER_API_KEY"]),
        ("http://h", KEY + "\nX: y", ["NOTIFIER_API_KEY"]),
    ],
)
def test_what_can_t_be_used_is_named_without_its_value(url, key, names):
    with pytest.raises(SettingsError) as wrong:
        load_remote({"NOTIFIER_URL": url, "NOTIFIER_API_KEY": key})
    assert [name for name, _ in wrong.value.problems] == names
    assert not key or key not in str(wrong.value)
