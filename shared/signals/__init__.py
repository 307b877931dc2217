"""Tells the outside what happened, behind the port `Signals`: as events on an EventBridge bus, or kept in memory."""
