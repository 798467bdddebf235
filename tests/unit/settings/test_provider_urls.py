"""A provider's URL that can't be used stops the start, with its setting's name and never its secret."""

import pytest

from notifier.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("name", "url", "said"),
    [
        ("sms_providers", "smtp://127.0.0.1", "console"),
        ("push_providers", "carrier-pigeon://coop", "console"),
        ("email_providers", "smtp+starttls://user:s3cretpass@mail.example.com?colour=red", "colour"),
        ("email_providers", "smtp://127.0.0.1?rate=14/d", "14/s"),
        ("email_providers", "smtp://127.0.0.1?rate=0/s", "14/s"),
    ],
)
def test_a_wrong_provider_url_is_named_with_what_is_allowed(name, url, said):
    with pytest.raises(SettingsError) as caught:
        load_settings({f"NOTIFIER_{name.upper()}": url})
    ((variable, allowed),) = caught.value.problems
    assert variable == f"NOTIFIER_{name.upper()}"
    assert said in allowed
    assert "s3cretpass" not in str(caught.value)


def test_a_call_longer_than_drain_and_lease_allow_is_refused():
    """The order of timeouts holds for a timeout that stands in a URL, too."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"NOTIFIER_EMAIL_PROVIDERS": "smtp://127.0.0.1?timeout=31"})
    ((variable, allowed),) = caught.value.problems
    assert variable == "NOTIFIER_EMAIL_PROVIDERS"
    assert "at most 30 seconds" in allowed


def test_a_timeout_that_fits_is_taken():
    settings = load_settings({"NOTIFIER_EMAIL_PROVIDERS": "smtp://127.0.0.1?timeout=29"})
    assert settings.email_providers == ("smtp://127.0.0.1?timeout=29",)


def test_a_wrong_rate_of_a_lane_is_named_with_what_is_allowed():
    """Lanes and units; a lane that is named twice; and a good one is shown as it was written."""
    for wrong in ("email=5/s", "email.high=5", "email.high=5/d", "email.high=5/s email.high=6/s"):
        with pytest.raises(SettingsError) as caught:
            load_settings({"NOTIFIER_LANE_RATES": wrong})
        ((variable, allowed),) = caught.value.problems
        assert variable == "NOTIFIER_LANE_RATES"
        assert "email.high=50/m sms.low=3/s" in allowed
    good = load_settings({"NOTIFIER_LANE_RATES": "email.high=50/m sms.low=3/s"})
    assert good.shown()["NOTIFIER_LANE_RATES"] == "email.high=50/m sms.low=3/s"
