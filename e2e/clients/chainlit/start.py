"""Starts app.py with Chainlit's own variables."""
import os
import tempfile

issuer = os.environ["ISSUER"]
os.execve(".venv/bin/chainlit", ["chainlit", "run", os.path.abspath("app.py"), "--headless"], {
    **os.environ,
    "CHAINLIT_APP_ROOT": tempfile.mkdtemp(),
    "CHAINLIT_PORT": os.environ["PORT"],
    "CHAINLIT_URL": os.environ["HOME_URL"].rstrip("/"),
    "CHAINLIT_AUTH_SECRET": "of this test, and long enough for HS256",
    "OAUTH_GENERIC_CLIENT_ID": os.environ["CLIENT_ID"],
    "OAUTH_GENERIC_CLIENT_SECRET": os.environ["CLIENT_SECRET"],
    "OAUTH_GENERIC_AUTH_URL": issuer + "authorize",
    "OAUTH_GENERIC_TOKEN_URL": issuer + "oauth/token",
    "OAUTH_GENERIC_USER_INFO_URL": issuer + "userinfo",
    "OAUTH_GENERIC_SCOPES": "openid profile email",
})
