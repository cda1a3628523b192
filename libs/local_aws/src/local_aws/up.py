"""`platform up`: a region in the foreground, or detached."""

import time

from local_aws.settings import LocalSettings, Tell, Wishes
from local_aws.state import StateFolder
from local_aws.status import read_status
from local_aws.welcome import welcome_text


def up(settings: LocalSettings, wishes: Wishes, *, detach: bool, say: Tell, show: Tell) -> int:
    """Brings the region up, unless it runs already; returns the exit code.

    Args:
        say: takes a line of progress.
        show: takes the text that tells where everything is.
    """
    folder = StateFolder(settings.state)
    if folder.is_locked():
        show(_already(folder))
        return 0
    started = time.monotonic()

    def tell(line: str) -> None:
        say(f"{time.monotonic() - started:5.1f} s  {line}")

    def welcome(url: str) -> None:
        show(welcome_text(url, seconds=time.monotonic() - started, detached=detach, demo=wishes.demo))

    if detach:
        from local_aws.detached import start_detached

        return start_detached(settings, wishes, tell, welcome)
    # Half the time of this program's own start goes into these; the detached parent does not need them.
    from local_aws.supervisor import supervise

    return supervise(settings, wishes, tell=tell, on_ready=lambda region: welcome(region.load_balancer.url))


def _already(folder: StateFolder) -> str:
    status = read_status(folder)
    if status["state"] == "stopped":  # the lock is taken before the record is written
        return "The platform is starting already."
    return f"The platform is {status['state']} already (pid {status['pid']}): {status['urls']['load_balancer']}"
