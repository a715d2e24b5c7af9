"""requests-oauthlib's web application flow, as its "Web App Example" shows it."""
import os
from urllib.parse import urlencode

from flask import Flask, jsonify, redirect, request, session
from requests_oauthlib import OAuth2Session

# Its page says so for an http server on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

app = Flask(__name__)
app.secret_key = os.urandom(16)
client_id = os.environ["CLIENT_ID"]
client_secret = os.environ["CLIENT_SECRET"]
issuer = os.environ["ISSUER"]
token_url = issuer + "oauth/token"


def gatehouse(**more):
    return OAuth2Session(client_id, scope=["openid", "profile", "email", "offline_access"],
                         redirect_uri=os.environ["REDIRECT_URI"], **more)


@app.route("/user")
def user():
    return jsonify(session.get("user"))


@app.route("/login")
def login():
    url, session["state"] = gatehouse().authorization_url(issuer + "authorize")
    return redirect(url)


@app.route("/callback")
def callback():
    oauth = gatehouse(state=session["state"])
    session["token"] = oauth.fetch_token(token_url, client_secret=client_secret, authorization_response=request.url)
    session["user"] = oauth.get(issuer + "userinfo").json()
    return redirect("/user")


@app.route("/orders")
def orders():
    return gatehouse(token=session["token"]).get(os.environ["AUDIENCE"] + "orders").json()


@app.route("/refresh")
def refresh():
    def save(token):
        session["token"] = token

    token = dict(session["token"], expires_at=1)  # expired, so that the next request refreshes
    oauth = gatehouse(token=token, auto_refresh_url=token_url, token_updater=save,
                      auto_refresh_kwargs={"client_id": client_id, "client_secret": client_secret})
    return oauth.get(os.environ["AUDIENCE"] + "orders").json()


@app.route("/logout")
def logout():
    hint = session["token"]["id_token"]
    session.clear()
    return redirect(issuer + "oidc/logout?" + urlencode({"id_token_hint": hint, "post_logout_redirect_uri": os.environ["HOME_URL"]}))


app.run(port=int(os.environ["PORT"]))
