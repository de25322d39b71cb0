"""Read by a Nuke with windows: adds the menu VOID. Whatever goes wrong here prints one line and lets Nuke start."""

try:
    from void_plugin.hosts import nuke_host

    nuke_host.install()
except Exception as error:  # Nuke must start whatever happens to us
    print("void_plugin: the menu VOID is missing: {}: {}".format(type(error).__name__, error))
