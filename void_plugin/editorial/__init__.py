"""`void otio`: shots out of any editor's timeline, and their results back into it as a new track.

The only room that knows OpenTimelineIO. Times of a timeline are fractions of its own frames throughout, because sums
of seconds in floating point put a cut one frame off sooner or later.
"""
