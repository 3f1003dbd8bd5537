"""The suite uses the plugin as anybody would: through its entry point."""

pytest_plugins = ["pytester"]
