"""Webhook: deliveries to a partner's HTTPS address by Standard Webhooks 1.0 (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.webhook.compose import compose
from connectors.webhook.lab import WebhookLab
from connectors.webhook.settings import WebhookSettings
from connectors.webhook.sink import WebhookSink

CONNECTOR = Connector(
    name="webhook",
    title="Standard Webhooks 1.0",
    settings=WebhookSettings,
    sink=WebhookSink,
    sink_settings=WebhookSettings,
    compose=compose,
    lab=WebhookLab,
)
