"""Removals on a timeline that is open in an editor: what is decided, waited for and written on the sidecar's side.

The host answers small questions (`hostside`); everything else happens here, so that the editor is held up only while
it renders for us, and a panel can take the place of `choices` alone.
"""
