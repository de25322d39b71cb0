"""Touching the script without leaving a trace: undo, modified flag, selection, frame, proxy mode, current Group."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

from void_plugin.hosts import nuke_api as api


@contextmanager
def inside(group: api.Node) -> Iterator[None]:
    """New nodes belong to this Group."""
    entered = api.group_of(group)
    entered.begin()
    try:
        yield
    finally:
        api.surely(entered.end)


@contextmanager
def without_trace() -> Iterator[None]:
    """Nothing done inside can be undone by the artist or marks the script as modified."""
    root = api.root()
    modified, disabled = bool(root.modified()), bool(api.Undo.disabled())
    steps: List[Callable[[], Any]] = [lambda: root.setModified(modified)]
    if not disabled:
        steps.insert(0, api.Undo.enable)
        api.Undo.disable()
    try:
        yield
    finally:
        api.surely(*steps)


@contextmanager
def one_undo(name: str) -> Iterator[None]:
    """All done inside is one step of the artist's undo; where it fails it is taken back."""
    root = api.root()
    modified = bool(root.modified())
    api.Undo.begin(name)
    try:
        yield
    except BaseException:
        api.surely(api.Undo.cancel, lambda: root.setModified(modified))
        raise
    api.surely(api.Undo.end)


@contextmanager
def full_resolution() -> Iterator[None]:
    """Proxy mode is off inside, and the frame and the selection are afterwards what they were."""
    root = api.root()
    proxy, current, chosen = bool(root.proxy()), api.frame(), api.selected()

    def reselect() -> None:
        now = api.selected()
        if now != chosen:
            for node in now:
                node.setSelected(False)
            for node in chosen:
                node.setSelected(True)

    def back_to_frame() -> None:
        if api.frame() != current:
            api.go_to(current)

    def back_to_proxy() -> None:
        if bool(root.proxy()) != proxy:
            root.setProxy(proxy)

    try:
        if proxy:
            root.setProxy(False)
        yield
    finally:
        api.surely(back_to_proxy, back_to_frame, reselect)
