# Usage: TIDINGS_URL=http://127.0.0.1:3333 TIDINGS_TOKEN=… python3 publish.py TOPIC TEXT
import json
import os
import sys
import urllib.error
import urllib.request
import uuid


def publish(topic, data, **options):
    """Publishes one event. Try again with the same Idempotency-Key and it is published once."""
    request = urllib.request.Request(
        os.environ["TIDINGS_URL"] + "/v1/publish",
        data=json.dumps({"topics": topic, "data": data, **options}).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["TIDINGS_TOKEN"],
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        },
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


if __name__ == "__main__":
    try:
        print(publish(sys.argv[1], {"text": sys.argv[2]})["cursor"])
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        sys.exit(f"{problem['detail']} ({problem['code']})")
