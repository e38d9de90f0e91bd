"""Deliveries on their way from the outboxes to their recipients: lanes, retries, receipts, audit."""
