"""Tells the outside what happened, behind the port `Signals`: as events on an EventBridge bus or an Event Grid topic, or
kept in memory."""
