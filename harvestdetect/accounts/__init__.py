"""Accounts as points: whose requests are alike, whatever their template."""
