"""Builds a small Vagrant box for libvirt from Debian packages: nothing of it is downloaded ready.

It holds all that the Vagrantfile's provisioning would install, so that machines made of it
need no way out. Its kernel lies beside the disk and is started by QEMU itself: a boot loader
would only cost time on a processor that is computed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from pytest_swarmlab.images.commands import in_root, run
from pytest_swarmlab.images.progress import BuildReport
from pytest_swarmlab.images.roots import KEYRING, MIRROR

NAME = "swarmlab/smoke"
SUITE = "trixie"
DISK_GIB = 6

PACKAGES = (
    # The kernel of virtual machines: few drivers, yet IPVS, VXLAN and NFS.
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "procps",
    "iproute2",
    "iptables",
    "openssh-server",
    "sudo",
    "ca-certificates",
    # What the Vagrantfile installs where it is missing.
    "docker.io",
    "docker-cli",
    "nfs-common",
    "nfs-kernel-server",
)

FILES = {
    # Vagrant's convention: this user, without a password for sudo.
    "etc/sudoers.d/vagrant": "vagrant ALL=(ALL) NOPASSWD: ALL\n",
    # The first card is Vagrant's own; the others are configured by it. Every machine gets a
    # machine id at its first boot, but DHCP is asked by hardware address all the same.
    "etc/systemd/network/10-vagrant.network": (
        "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n[DHCPv4]\nClientIdentifier=mac\n"
    ),
    "etc/initramfs-tools/conf.d/small": "MODULES=list\nCOMPRESS=lz4\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/machine-id": "",
    "etc/hostname": "box\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("useradd", "--create-home", "--shell", "/bin/bash", "vagrant"),
    ("systemctl", "enable", "systemd-networkd"),
    # It would wait two minutes for a second card that nobody has configured yet.
    ("systemctl", "mask", "systemd-networkd-wait-online.service", "apt-daily.timer"),
    ("systemctl", "mask", "apt-daily-upgrade.timer", "systemd-timesyncd.service"),
    ("update-initramfs", "-u", "-k", "all"),
)

KERNEL_WORDS = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off"

VAGRANTFILE = f"""\
Vagrant.configure("2") do |config|
  config.vm.provider :libvirt do |libvirt|
    libvirt.kernel = File.expand_path("vmlinuz", __dir__)
    libvirt.initrd = File.expand_path("initrd.img", __dir__)
    libvirt.cmd_line = "{KERNEL_WORDS}"
  end
end
"""


def build(directory: Path, key: Path, report: BuildReport) -> Path:
    """Build the box in `directory`, which must not exist; returns the file to add to Vagrant.

    `key`: the public key that Vagrant first enters a box with. Raises BuildError when a
    step fails.
    """
    directory.mkdir()
    root = directory / "root"
    report.stage("Packages of the box")
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"]
    argv += [f"--include={','.join(PACKAGES)}", f"--keyring={KEYRING}"]
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
    run([*argv, SUITE, str(root), MIRROR], report)
    for place, text in FILES.items():
        write(root / place, text)
    (root / "etc/sudoers.d/vagrant").chmod(0o440)
    for command in COMMANDS:
        run(in_root(root, command), report)
    admit(root, key, report)
    report.stage("Disk of the box")
    kernel, initrd = kernel_of(root)
    shutil.copyfile(kernel, directory / "vmlinuz")
    shutil.copyfile(initrd, directory / "initrd.img")
    disk = directory / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_GIB * 2**30)
    run(["mkfs.ext4", "-q", "-F", "-m", "0", "-d", str(root), str(disk)], report)
    shutil.rmtree(root)
    convert = ["qemu-img", "convert", "-O", "qcow2", str(disk), str(directory / "box.img")]
    run(convert, report)
    disk.unlink()
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_GIB}
    write(directory / "metadata.json", json.dumps(metadata))
    write(directory / "Vagrantfile", VAGRANTFILE)
    return pack(directory, ("metadata.json", "Vagrantfile", "box.img", "vmlinuz", "initrd.img"))


def admit(root: Path, key: Path, report: BuildReport) -> None:
    """Let Vagrant in."""
    keys = root / "home/vagrant/.ssh/authorized_keys"
    write(keys, key.read_text(encoding="ascii"))
    run(in_root(root, ["chown", "-R", "vagrant:vagrant", "/home/vagrant"]), report)
    run(in_root(root, ["chmod", "-R", "go=", "/home/vagrant/.ssh"]), report)


def kernel_of(root: Path) -> tuple[Path, Path]:
    """The kernel and the initial RAM disk that were installed in a root."""
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    (initrd,) = (root / "boot").glob("initrd.img-*")
    return kernel, initrd


def pack(directory: Path, files: Sequence[str]) -> Path:
    """Put the files into the archive that Vagrant calls a box."""
    archive = directory / "smoke.box"
    # Not compressed: it is unpacked again in a minute.
    with tarfile.open(archive, "w") as box:
        for name in files:
            box.add(directory / name, name)
            (directory / name).unlink()
    return archive


def write(path: Path, text: str) -> None:
    """Write a text file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def vagrant_key() -> Path:
    """The well-known public key that Vagrant enters a new box with, as Vagrant brings it along."""
    listed = subprocess.run(["dpkg", "-L", "vagrant"], capture_output=True, text=True, check=True)
    (key,) = (line for line in listed.stdout.splitlines() if line.endswith("/keys/vagrant.pub"))
    return Path(key)
