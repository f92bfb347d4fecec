"""Answers with something changed at random: refused by a typed error, or explanations.

Seeded; `MUTATIONS=4000` in the environment tries more of them.
"""

from __future__ import annotations

import copy
import json
import os
import random

import pytest

from keras_explainer.errors import BadAnswerError, KerasExplainerError
from keras_explainer.serving import Client

COUNT = int(os.environ.get("MUTATIONS", "120"))
ODD = [
    *(None, True, False, 0, -1, 1.5, 2**70, float("nan"), float("inf"), -float("inf")),
    *("", "x", "\ud800", [], {}, [[]], [1, 2, 3], {"b64": "*"}, {"b64": "YQ=="}),
]


def changed(data, chance):
    """A copy with one value replaced, left out, doubled or put into a list."""
    data = copy.deepcopy(data)
    node, parent, key = data, None, None
    for _ in range(chance.randrange(1, 9)):
        if isinstance(node, dict) and node:
            at = chance.choice(list(node))
        elif isinstance(node, list) and node:
            at = chance.randrange(len(node))
        else:
            break
        parent, key, node = node, at, node[at]
    if parent is None:
        return chance.choice(ODD)
    kind = chance.randrange(4)
    if kind == 0:
        parent[key] = chance.choice(ODD)
    elif kind == 1:
        del parent[key]
    elif kind == 2 and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(node))
    elif kind == 2:
        parent[f"{key}x"] = node
    else:
        parent[key] = [node]
    return data


def damaged(body, chance):
    found = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


@pytest.fixture
def client(server):
    with Client(server.rest, "small", version=1, retries=0) as made:
        yield made


def test_any_change_is_refused_or_read(client, images):
    """The same questions again and again; another answer is changed each time."""
    connection = client._calls.transport._connection
    ask, kept = connection.request, {}

    def key(method, path, body):
        return method, path, json.loads(body)["signature_name"] if body else None

    def record(method, path, body, deadline):
        kept[key(method, path, body)] = ask(method, path, body, deadline)
        return kept[key(method, path, body)]

    def questions():
        client.status()
        client.part_maps(images[:2])
        found = client.explain(images[:2], on_bad="skip")
        json.dumps(found.to_dict(), allow_nan=False)
        return found.table() + "".join(map(str, found))

    connection.request = record
    assert questions()
    chance = random.Random(0)
    refused = 0
    for _ in range(COUNT):
        target = chance.choice(sorted(kept, key=str))

        def replay(method, path, body, deadline, target=target):
            status, text = kept[key(method, path, body)]
            if key(method, path, body) != target:
                return status, text
            if chance.random() < 0.15:
                return status, damaged(text, chance)
            new = json.dumps(changed(json.loads(text), chance))
            return status, new.encode("utf-8", "surrogatepass")

        connection.request = replay
        client._calls._descriptions.clear()
        try:
            questions()
        except BadAnswerError:
            refused += 1
        except KerasExplainerError:
            pass
    assert refused > COUNT / 2
