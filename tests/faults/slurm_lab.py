"""A Slurm of one's own: munge, controller and node on this machine, in a folder, gone with the test.

Needs the packages slurm-wlm and munge, nothing else of the machine: keys, sockets, ports, state and logs are private.
Run as root the whole stands in namespaces of its own (network with a second address, processes, mounts); elsewhere, or
where that is not allowed, among the machine's."""
import ctypes
import fcntl
import shutil
import socket
import struct
import subprocess
import sys

from skl import *

PROGRAMS = ("munged", "munge", "unmunge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo", "scancel")
# The daemons are in sbin, which is in nobody's PATH but root's.
PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"

CONF = """ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
SlurmdPort={port1}
AuthType=auth/munge
AuthInfo=cred_expire=5,socket={dir}/munge.sock
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd.log
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
KillWait=5
ReturnToService=2
MpiDefault=none
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 GraceTime=10 PreemptMode=REQUEUE
PartitionName=high Nodes={host} PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """The first program that is not here, or None."""
    return next((p for p in PROGRAMS if not shutil.which(p, path=PATH)), None)


def address(name, number, mask="255.255.255.255"):
    """Gives a network interface an address and takes it up."""
    SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x891C, 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        def set_address(call, text):
            fcntl.ioctl(s, call, struct.pack("16sH2x4s8x", name.encode(), socket.AF_INET, socket.inet_aton(text)))
        set_address(SIOCSIFADDR, number)
        set_address(SIOCSIFNETMASK, mask)
        flags, = struct.unpack("16xH", fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))[:18])
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | IFF_UP))


def alone(script):
    """Starts the script again in namespaces of its own, whose processes end with it; comes back where that is not allowed."""
    if os.environ.get("SLURM_LAB_ALONE"):
        # With the loopback address alone Slurm finds no address family that it likes.
        address("lo", "127.0.0.1", "255.0.0.0")
        address("lo:1", "192.0.2.1")
        return
    words = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run(words + ["true"], stderr=subprocess.DEVNULL).returncode:
        print("no namespaces here: the test's Slurm stands among this machine's processes and ports")
        return
    os.environ["SLURM_LAB_ALONE"] = "yes"
    os.execvp(words[0], words + [sys.executable, script])


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Slurm:
    """env: what programs need to speak to it."""

    def __init__(self, dir, cpus=2):
        self.dir, self.daemons = dir, []
        os.makedirs(os.path.join(dir, "state"))
        os.makedirs(os.path.join(dir, "spool"))
        port, port1 = free_ports(2)
        conf = CONF.format(dir=dir, host=socket.gethostname().split(".")[0], user=pwd_name(), port=port, port1=port1, cpus=cpus)
        with open(os.path.join(dir, "slurm.conf"), "w") as f:
            f.write(conf)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        self.env.update(SLURM_CONF=os.path.join(dir, "slurm.conf"), PATH=PATH)
        self.start_munge()
        self.daemon("slurmctld", "-D", "-c", "-i")
        self.daemon("slurmd", "-D", "-c")
        wait_until(lambda: self.ask("sinfo", "--noheader", "--format=%T") == "idle", seconds=40, every=0.1)

    def start_munge(self):
        key = os.path.join(self.dir, "munge.key")
        with open(key, "wb") as f:
            f.write(os.urandom(128))
        os.chmod(key, 0o600)
        name = lambda end: os.path.join(self.dir, "munge." + end)
        self.daemon("munged", "--foreground", "--force", "--key-file=" + key, "--socket=" + name("sock"),
                    "--pid-file=" + name("pid"), "--log-file=" + name("log"), "--seed-file=" + name("seed"))
        wait_until(lambda: os.path.exists(name("sock")), seconds=10)
        credential = self.ask("munge", "--no-input", "--socket=" + name("sock"))
        unmunged = subprocess.run(["unmunge", "--socket=" + name("sock")], input=credential, env=self.env, stdout=subprocess.PIPE, text=True)
        assert "Success" in unmunged.stdout, unmunged.stdout

    def daemon(self, *words):
        with open(os.path.join(self.dir, words[0] + ".out"), "w") as out:
            self.daemons.append(subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def ask(self, *words):
        """What a program of Slurm prints; stops the test where it fails."""
        result = subprocess.run(words, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return result.stdout.strip() if result.returncode == 0 else f"{words[0]} failed: {result.stderr}"

    def stop(self):
        self.ask("scancel", "--user=" + pwd_name())
        self.ask("scontrol", "shutdown")
        for d in reversed(self.daemons):
            d.terminate()
        for d in self.daemons:
            try:
                d.wait(timeout=10)
            except subprocess.TimeoutExpired:
                d.kill()
                d.wait()

    def logs(self):
        """The ends of the daemons' words, for a failing test."""
        text = ""
        for name in sorted(os.listdir(self.dir)):
            if name.endswith((".log", ".out")):
                with open(os.path.join(self.dir, name), errors="replace") as f:
                    text += f"--- {name}\n" + "".join(f.readlines()[-30:])
        return text


def pwd_name():
    import pwd
    return pwd.getpwuid(os.getuid()).pw_name


__all__ = [name for name in globals() if not name.startswith("__")]
