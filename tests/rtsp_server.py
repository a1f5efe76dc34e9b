"""An RTSP server for tests: H.264 of a test picture at /live, for user `me` with password `secret`.

Run by a Python that has PyGObject and GStreamer's RTSP server (on Debian: gir1.2-gst-rtsp-server-1.0, python3-gi,
gstreamer1.0-plugins-ugly) with a port; prints a line when it listens.
"""

from __future__ import annotations

import sys
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

STREAM = (
    "( videotestsrc is-live=true pattern=blue ! video/x-raw,width=64,height=48,framerate=30/1 "
    "! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 pt=96 )"
)


def protect(server: Any, factory: Any) -> None:
    """Let in who knows the password."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    access = GstRtspServer.RTSPAuth()
    access.add_basic(GstRtspServer.RTSPAuth.make_basic("me", "secret"), token)
    server.set_auth(access)
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("access", "construct"):
        permissions.add_permission_for_role("user", f"media.factory.{right}", True)
    factory.set_permissions(permissions)


def main() -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory(shared=True)
    factory.set_launch(STREAM)
    protect(server, factory)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("listening", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
