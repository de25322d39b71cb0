"""Scenes to start from."""

from __future__ import annotations

from .scene import HEIGHT, START, WIDTH, Scene

__all__ = ["HEIGHT", "START", "WIDTH", "Scene", "cut"]


def cut(folder, **more):
    """A Scene with something of everything, its first shot selected and under the playhead.

    Video 1: sh010 (100 %, 12 frames, in-point 4), a gap of 6, sh020 (twice as fast, 8 frames), sh030 (a movie, 10
    frames), a generator (6 frames). Video 2: a title over sh030. Video 3, `VOID MATTE`, disabled: the matte of
    sh010. sh020's
    clip has an attached matte, sh030 is graded.
    """
    scene = Scene(folder, **more)
    first = scene.sequence("sh010", 24, start_tc=86400 - 24)
    second = scene.sequence("sh020", 24, first=101)
    third = scene.movie("sh030", 24, start_tc=3600)
    roto = scene.matte("sh010_roto", 24)
    attached = scene.matte("sh020_roto", 24, first=101)
    second["mattes"].append(attached["path"])
    start = scene.timeline["start"]
    shot = scene.place(first, start, 12, offset=4)
    scene.place(second, start + 18, 8, offset=2, speed=2.0)
    scene.place(third, start + 26, 10, offset=3, grade={"gain": 2.0})
    scene.generator("Solid Color", start + 36, 6)
    scene.generator("Text", start + 26, 10, track=2, kind="title", solid=0.25)
    matte_track = scene.add_track("VOID MATTE")
    scene.track(matte_track, enabled=False)
    scene.place(roto, start, 12, offset=4, track=matte_track)
    scene.select(shot)
    scene.mark(scene.timeline, 5, "remember", note="ask Anna")
    scene.mark(shot, 3, "eyeline", "Cyan")
    return scene
