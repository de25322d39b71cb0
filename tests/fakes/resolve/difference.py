"""What differs between two states, as sentences; what is ours may be left out of it."""

from __future__ import annotations

_MISSING = object()


def difference(before, after, ours=None):
    """A list of sentences, empty when nothing differs.

    `ours(path, value)` is asked about everything that is only in `after`, as a path such as
    `project/timelines/timeline-1/tracks/video/item-7` and its value; True leaves it out.
    """
    found = []
    _compare(before, after, "", found, ours or (lambda path, value: False))
    return found


def _compare(before, after, path, found, ours):
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            _pair(before.get(key, _MISSING), after.get(key, _MISSING), path + "/" + str(key), found, ours)
    elif isinstance(before, list) and isinstance(after, list) and _keyed(before) and _keyed(after):
        old, new = {_key(one): one for one in before}, {_key(one): one for one in after}
        for key in [*old, *(key for key in new if key not in old)]:
            _pair(old.get(key, _MISSING), new.get(key, _MISSING), path + "/" + key, found, ours)
        kept = [key for key in new if key in old]
        if kept != [key for key in old if key in new]:
            found.append("{} is in another order".format(path.strip("/")))
    elif isinstance(before, list) and isinstance(after, list):
        rest = list(after)
        for one in before:
            if one in rest:
                rest.remove(one)
            else:
                found.append("{} lost {!r}".format(path.strip("/"), one))
        for one in rest:
            if not ours(path.strip("/"), one):
                found.append("{} gained {!r}".format(path.strip("/"), one))
    elif before != after:
        found.append("{} was {!r} and is {!r}".format(path.strip("/"), before, after))


def _pair(before, after, path, found, ours):
    if before is _MISSING:
        if not ours(path.strip("/"), after):
            found.append("{} is new: {!r}".format(path.strip("/"), after))
    elif after is _MISSING:
        found.append("{} is gone".format(path.strip("/")))
    else:
        _compare(before, after, path, found, ours)


def _key(entry):
    return str(entry["id"]) if "id" in entry else "at " + str(entry["frame"])


def _keyed(entries):
    return all(isinstance(one, dict) and ("id" in one or "frame" in one) for one in entries)


def void(path, value):
    """Whether something new is VOID's: by its `void:` data, the track or the bin called VOID, a clip that says so."""
    if not isinstance(value, dict):
        return False
    if str(value.get("customData", "")).startswith("void:"):
        return True
    if "items" in value or "folders" in value:
        return value["name"].startswith("VOID") and value["name"] != "VOID MATTE"
    if "third_party" in value:
        stored = {**value["third_party"], **value["metadata"]}
        return any("void" in str(key).lower() or str(one).startswith("void:") for key, one in stored.items())
    return any(str(marker["customData"]).startswith("void:") for marker in value.get("markers", []))
