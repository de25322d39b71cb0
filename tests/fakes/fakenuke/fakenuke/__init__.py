"""A strict stand-in for Nuke's Python module, for tests of the code that runs inside Nuke.

What it does is taken from public sources only: the `types-nuke` stubs, Foundry's Python Developer's Guide, a public
scan of the node classes of Nuke 17.0v3, and public scripts. Where those are silent it takes the stricter way, so that
code which passes here asks little of the real Nuke. **It proves nothing about how Nuke itself behaves.**

It runs in any CPython from 3.7 on with the standard library alone; pixels are computed by a child process.
"""
