"""Talks to a broker with qpid-proton: sends a message, receives it, settles it as told.

Usage: proton_client.py URL QUEUE accept|release|reject
Prints what it received as one JSON line.
"""
import json
import sys

from proton import Message
from proton.utils import BlockingConnection

url, queue, outcome = sys.argv[1:4]
connection = BlockingConnection(url, timeout=20, allowed_mechs="ANONYMOUS")
sender = connection.create_sender(queue)
sender.send(Message(body="from proton", id="proton-1", properties={"n": 7}))
receiver = connection.create_receiver(queue, credit=1)
message = receiver.receive(timeout=20)
{"accept": receiver.accept, "release": receiver.release, "reject": receiver.reject}[outcome]()
annotations = {str(key): str(value) for key, value in (message.annotations or {}).items()}
print(json.dumps({
    "body": message.body,
    "id": message.id,
    "n": message.properties["n"],
    "annotations": annotations,
}))
connection.close()
