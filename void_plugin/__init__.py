"""void_plugin: remove an object from a shot together with what it did to the scene."""

__version__ = "0.1.0"
