"""TaskIQ's receiver on its pull broker, reading the same events as everybody.

Its own messages are tasks; a formatter of ours, which
https://taskiq-python.github.io/guide/message-format.html invites to write, makes a task of an
event, so that nothing is read or validated twice. The receiver's options are those of
https://taskiq-python.github.io/guide/cli.html.
"""

from __future__ import annotations

from nats.js.api import AckPolicy, ConsumerConfig
from taskiq import BrokerMessage, TaskiqMessage
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_nats import PullBasedJetStreamBroker

from benchmarks.events import subjects
from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.events import MerchantCreatedPayload

TASK = "handle"

Envelope = EventEnvelope[MerchantCreatedPayload]


class EnvelopeFormatter(TaskiqFormatter):
    """An event is the task `handle` with the payload as its argument."""

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Nothing here sends tasks."""
        raise TypeError(f"no task is sent, found {message.task_name}")

    def loads(self, message: bytes) -> TaskiqMessage:
        """The task of an event."""
        envelope = Envelope.model_validate_json(message)
        return TaskiqMessage(
            task_id=str(envelope.event_id),
            task_name=TASK,
            labels={},
            args=[envelope.data],
            kwargs={},
        )


async def work(job: Job, probe: Probe) -> None:
    """One subject; of several, TaskIQ would make tasks of one consumer."""
    (subject,) = subjects(job)
    broker = PullBasedJetStreamBroker(
        servers=job.server,
        subject=subject,
        stream_name=STREAM,
        durable="taskiq",
        consumer_config=ConsumerConfig(
            durable_name="taskiq", filter_subject=subject, ack_policy=AckPolicy.EXPLICIT
        ),
        pull_consume_batch=job.batch,
        pull_consume_timeout=5,
    ).with_formatter(EnvelopeFormatter())

    async def handle(payload: MerchantCreatedPayload) -> None:
        await probe.handle(payload)

    def handle_sync(payload: MerchantCreatedPayload) -> None:
        probe.handle_sync(payload)

    broker.register_task(handle_sync if job.sync else handle, task_name=TASK)
    await run_receiver_task(
        broker,
        validate_params=False,
        max_async_tasks=job.concurrency,
        max_prefetch=job.batch,
        run_startup=True,
        ack_time=AcknowledgeType.WHEN_EXECUTED,
    )
