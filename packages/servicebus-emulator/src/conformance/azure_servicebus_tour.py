"""Uses Debian's azure-servicebus for Python (on uamqp, over TLS) as an application would.

Arguments: the host, the port of messages, the port of administration, the certificate to trust. Prints a JSON
object with the outcome of each step; a step that raises says why.
"""

import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
)
from azure.servicebus._common import _configuration as configuration
from azure.servicebus.management import ServiceBusAdministrationClient

HOST, AMQP_PORT, ADMIN_PORT, CERTIFICATE = sys.argv[1:5]
KEY = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"
WAIT_SECONDS = 30
QUEUES_BEYOND_A_PAGE = 101

steps = {}


def step(name):
    """Runs the function at once and keeps what it returns, or why it failed."""

    def run(function):
        try:
            steps[name] = function()
        except Exception as error:  # Every failure is an outcome that the caller looks at.
            steps[name] = f"{type(error).__name__}: {error}"
        return function

    return run


def connect(**options):
    return ServiceBusClient.from_connection_string(
        f"Endpoint=sb://{HOST}/;{KEY}", connection_verify=CERTIFICATE, retry_total=0, **options
    )


def body(message):
    return b"".join(message.body).decode()


def receive(receiver, count):
    messages = []
    while len(messages) < count:
        more = receiver.receive_messages(count - len(messages), max_wait_time=WAIT_SECONDS)
        if not more:
            raise RuntimeError(f"{len(messages)} of {count} messages")
        messages.extend(more)
    return messages


admin = ServiceBusAdministrationClient.from_connection_string(
    f"Endpoint=sb://{HOST}:{ADMIN_PORT}/;{KEY}", connection_verify=CERTIFICATE
)
# This version knows no port of messages but 5671, so it is set where the client keeps it.
configuration.DEFAULT_AMQPS_PORT = int(AMQP_PORT)
client = connect()
run_id = uuid.uuid4().hex[:8]
queue = f"python-{run_id}"
sessions = f"python-sessions-{run_id}"


@step("createQueues")
def create_queues():
    admin.create_queue(queue)
    admin.create_queue(sessions, requires_session=True)
    return admin.get_queue(queue).name == queue


@step("listQueues")
def list_queues():
    made = [f"python-many-{run_id}-{index:03d}" for index in range(QUEUES_BEYOND_A_PAGE)]
    for name in made:
        admin.create_queue(name)
    listed = [properties.name for properties in admin.list_queues()]
    runtime = [properties.name for properties in admin.list_queues_runtime_properties()]
    for name in made:
        admin.delete_queue(name)
    return set(made) <= set(listed) and listed == runtime and len(set(listed)) == len(listed)


@step("listTopics")
def list_topics():
    return [topic.name for topic in admin.list_topics()] == []


@step("updateQueue")
def update_queue():
    properties = admin.get_queue(queue)
    properties.max_delivery_count = 5
    admin.update_queue(properties)
    return admin.get_queue(queue).max_delivery_count == 5


@step("sendAndComplete")
def send_and_complete():
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("one"))
        batch = sender.create_message_batch()
        batch.add_message(ServiceBusMessage("two", application_properties={"n": 2}))
        batch.add_message(ServiceBusMessage("three"))
        sender.send_messages(batch)
        messages = receive(receiver, 3)
        tokens = [str(message.lock_token) for message in messages]
        for message in messages:
            receiver.renew_message_lock(message)
            receiver.complete_message(message)
        return [body(message) for message in messages] == ["one", "two", "three"] and len(set(tokens)) == 3


@step("abandon")
def abandon():
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("again"))
        receiver.abandon_message(receive(receiver, 1)[0])
        [message] = receive(receiver, 1)
        receiver.complete_message(message)
        return message.delivery_count == 1


@step("defer")
def defer():
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage("later"), ServiceBusMessage("much later")])
        deferred = receive(receiver, 2)
        for message in deferred:
            receiver.defer_message(message)
        numbers = [message.sequence_number for message in deferred]
        received = receiver.receive_deferred_messages(numbers)
        tokens = {str(message.lock_token) for message in received}
        for message in received:
            receiver.renew_message_lock(message)
            receiver.complete_message(message)
        return [body(m) for m in received] == ["later", "much later"] and "None" not in tokens


@step("deadLetter")
def dead_letter():
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("bad"))
        receiver.dead_letter_message(receive(receiver, 1)[0], reason="why", error_description="because")
    with client.get_queue_receiver(queue, sub_queue="deadletter") as receiver:
        [message] = receive(receiver, 1)
        receiver.complete_message(message)
        return [message.dead_letter_reason, message.dead_letter_error_description] == ["why", "because"]


@step("peek")
def peek():
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage(str(index)) for index in range(5)])
        peeked = [body(message) for message in receiver.peek_messages(10)]
        for message in receive(receiver, 5):
            receiver.complete_message(message)
        return peeked == ["0", "1", "2", "3", "4"] and receiver.peek_messages(1) == []


@step("schedule")
def schedule():
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        soon = datetime.now(timezone.utc) + timedelta(seconds=2)
        late = datetime.now(timezone.utc) + timedelta(hours=1)
        [kept, cancelled] = sender.schedule_messages(
            [ServiceBusMessage("soon"), ServiceBusMessage("soon, too")], soon
        )
        sender.cancel_scheduled_messages(cancelled)
        sender.cancel_scheduled_messages(sender.schedule_messages(ServiceBusMessage("never"), late))
        peeked = [message.state for message in receiver.peek_messages(10)]
        [message] = receive(receiver, 1)
        receiver.complete_message(message)
        scheduled = ServiceBusMessageState.SCHEDULED
        return [body(message), message.state, *peeked] == ["soon", scheduled, scheduled]


@step("receiveAndDelete")
def receive_and_delete():
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("once"))
    with client.get_queue_receiver(queue, receive_mode=mode) as receiver:
        return body(receive(receiver, 1)[0]) == "once"


@step("sessions")
def use_sessions():
    with client.get_queue_sender(sessions) as sender:
        for index in range(10):
            sender.send_messages(ServiceBusMessage(str(index), session_id="ab"[index % 2]))
    with client.get_queue_receiver(sessions, session_id="a") as receiver:
        peeked = [body(message) for message in receiver.peek_messages(10)]
        receiver.session.set_state("seen")
        state = receiver.session.get_state()
        receiver.session.renew_lock()
        for message in receive(receiver, 5):
            receiver.complete_message(message)
    with client.get_queue_receiver(sessions, session_id=NEXT_AVAILABLE_SESSION) as receiver:
        name = receiver.session.session_id
    return [peeked, state, name] == [["0", "2", "4", "6", "8"], b"seen", "b"]


@step("webSockets")
def web_sockets():
    # An address of one's own is always reached over WebSockets.
    with connect(custom_endpoint_address=f"sb://{HOST}:{ADMIN_PORT}") as other:
        with other.get_queue_sender(queue) as sender, other.get_queue_receiver(queue) as receiver:
            sender.send_messages(ServiceBusMessage("over http"))
            [message] = receive(receiver, 1)
            receiver.complete_message(message)
            return body(message) == "over http"


@step("runtimeProperties")
def runtime_properties():
    properties = admin.get_queue_runtime_properties(sessions)
    return [properties.active_message_count, properties.total_message_count] == [5, 5]


@step("subscription")
def subscription():
    try:
        with client.get_subscription_receiver("topic", "subscription") as receiver:
            receiver.receive_messages(1, max_wait_time=1)
    except Exception as error:
        return "ErrorCodes.NotFound" in str(error) and "could not be found" in str(error)
    return False


@step("deleteQueues")
def delete_queues():
    admin.delete_queue(queue)
    admin.delete_queue(sessions)
    return not any(properties.name.startswith("python-") for properties in admin.list_queues())


client.close()
admin.close()
print(json.dumps(steps))
