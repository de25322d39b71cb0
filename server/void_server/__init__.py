"""void_server: turns plates and mattes into clean frames; started by the client, a farm or `void-server serve`."""
