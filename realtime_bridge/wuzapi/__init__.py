"""WhatsApp through WUZAPI servers (github.com/asternic/wuzapi). What both sides of the log share, and the way out.

The way in is `gateway.wuzapi`. A channel is one WUZAPI user of one account: its server, its token, its HMAC key.
"""
