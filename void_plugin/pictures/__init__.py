"""Pixels for people: reading, displaying and painting them, without a window and without a server.

What is slow runs in a process of its own (`decoder`); the window only ever copies finished 8-bit pictures.
"""
