"""How one message is worked: credits, slots, pipeline, executor, lease, settlement.

Written against the small protocols of ``runtime.protocols``; knows neither NATS nor the endpoint.
"""
