"""The tour of docs/api.md with Python's requests: python3 requests_tour.py <region> <another region>."""

import json
import sys
import uuid

try:
    import requests
except ImportError:
    print("THE TOUR IN PYTHON WAS NOT MADE: install requests (on Debian: python3-requests).")
    sys.exit(1)

HERE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7710"
THERE = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:7720"
EMAIL = f"requests-{uuid.uuid4()}@example.com"
WAIT = {"prefer": "wait=10"}

session = requests.Session()


def tell(what, *seen):
    print(what.ljust(22), *seen)


def send(method, url, **more):
    return session.request(method, url, timeout=30, **more)


key = {"idempotency-key": str(uuid.uuid4())}
ada = {"email": EMAIL, "firstName": "Ada"}
first = send("POST", f"{HERE}/customers", json=ada, headers=key)
tell("create", first.status_code)
path = first.headers["location"]

least = {**WAIT, "x-tandem-min-version": first.headers["x-tandem-version"]}
seen = send("GET", f"{THERE}{path}", headers=least)
tell("read it elsewhere", seen.status_code, seen.json()["firstName"])
again = send("POST", f"{THERE}/customers", json=ada, headers=key)
same = again.headers["location"] == path
tell("create it elsewhere", again.status_code, "the same customer" if same else "ANOTHER ONE")

etag = first.headers["etag"]
tell("read it again", send("GET", f"{HERE}{path}", headers={"if-none-match": etag}).status_code)

changed = send("PATCH", f"{HERE}{path}", json={"phoneNumber": "555-0100"}, headers={"if-match": etag})
tell("change it", changed.status_code, changed.json()["phoneNumber"])
late = send("PATCH", f"{HERE}{path}", json={"phoneNumber": "555-0199"}, headers={"if-match": etag})
tell("change an old version", late.status_code, late.json()["type"])
queued = send(
    "PUT", f"{HERE}{path}", json={**ada, "lastName": "Lovelace"}, headers={"prefer": "ack=queued, wait=10"}
)
tell("replace it", queued.status_code, queued.headers["x-tandem-acknowledged"])
receipt = {"receipt": queued.headers["x-tandem-receipt"]}
applied = send("GET", f"{HERE}{path}/receipt", params=receipt, headers=WAIT)
tell("is it everywhere", json.dumps(applied.json()["appliedEverywhere"]))

other = str(uuid.uuid4())
bob = {"email": EMAIL, "firstName": "Bob"}
operations = [
    {"create": {"customerId": other, "customer": bob}},
    {"delete": {"customerId": str(uuid.uuid4())}},
]
batch = send("POST", f"{HERE}/customers/batch", json={"operations": operations})
tell("write a batch", *[item["status"] for item in batch.json()["items"]])
lines = [json.dumps({"customerId": one, **bob}) for one in (other, str(uuid.uuid4()))]
report = send(
    "POST",
    f"{HERE}/customers/import",
    data="\n".join(lines) + "\n",
    headers={"content-type": "application/x-ndjson"},
)
tell("import two lines", json.loads(report.text.splitlines()[-1])["outcome"])

found, cursor = [], {}
while cursor is not None:
    page = send("POST", f"{HERE}/customers/search", json={"email": EMAIL, **cursor}).json()
    found += page["items"]
    cursor = {"cursor": page["nextCursor"]} if "nextCursor" in page else None
tell("search by e-mail", len(found))
with send("GET", f"{HERE}/customers/export", stream=True) as export:
    ids = {json.loads(line)["customerId"] for line in export.iter_lines()}
    tell("export", export.status_code, "all lines" if other in ids else "WITHOUT IT")

removed = send("DELETE", f"{HERE}{path}")
gone = send("GET", f"{HERE}{path}")
tell("delete it", removed.status_code, gone.status_code, gone.json()["type"])
tell("its history", send("GET", f"{HERE}{path}/history").status_code)
