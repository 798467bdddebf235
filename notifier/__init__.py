"""A self-hosted notification service: e-mails, SMS and push messages by priority."""

__version__ = "0.1.0"
