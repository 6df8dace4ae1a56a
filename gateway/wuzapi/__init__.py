"""Webhooks of WUZAPI servers, signed: messages, statuses, signs of typing. The way out: the bridge.

views.py    the route: who signed it, what is in it          signature.py  the proof (pure)
bodies.py   JSON and forms to one document (pure)            events.py     the document to values (pure)
service.py  one transaction for each event                   store.py      SQL
"""
