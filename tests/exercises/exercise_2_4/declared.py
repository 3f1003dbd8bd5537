"""Exercise 2.4: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

SHARE = ("share",)
LOCAL = ("local",)
DISTRIBUTED = ("nfs-bind", "nfs-volume", "plugin")
STORAGES = LOCAL + DISTRIBUTED
SCHEDULING, KILLED, REFUSALS = ("plugin-scheduling",), ("plugin-killed",), ("plugin-refusals",)
MISTAKES, SQUASH, AWAY = ("mistakes",), ("root-squash",), ("server-away",)
ON_NFS = (Capability.CHANGE, Capability.NFS)
PLUGINS = ("plugin", *SCHEDULING, *KILLED, *REFUSALS)

exercise = Exercise(
    "2.4",
    "Solutions de stockage distribué",
    module=__name__,
    titles={
        "share": "Option A: the lab's NFS share",
        "local": "A local volume, for comparison",
        "nfs-bind": "A directory of the mounted share (bind mount)",
        "nfs-volume": "A volume that the engine mounts over NFS",
        "plugin": "A volume of the plugin, by the lab's commands",
        "plugin-scheduling": "Option B: Swarm places a task that needs the plugin",
        "plugin-killed": "The plugin's driver is killed under a running service",
        "plugin-refusals": "Options and names that the plugin refuses",
        "mistakes": "Wrong mounts",
        "root-squash": "root_squash against no_root_squash",
        "server-away": "The NFS server is away",
    },
    needs={
        **dict.fromkeys((*SHARE, *STORAGES, *MISTAKES, *SQUASH, *AWAY), ON_NFS),
        # The driver is installed where its owner may have one.
        **dict.fromkeys(PLUGINS, (*ON_NFS, Capability.EXPENDABLE)),
    },
)
