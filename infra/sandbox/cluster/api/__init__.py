"""The API server: storage, object rules, sign-in, rights and the HTTP front.

From the inside out: `store` keeps versions, `objects` applies the rules of a write, `reads` and `watch` answer
questions, `authentication` and `authorization` guard them, `server` speaks HTTP.
"""
