"""What the application says: handlers, their options, and what a run means.

Pure: nothing here knows asyncio or NATS.
"""
