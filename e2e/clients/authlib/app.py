"""Authlib's Flask client, as docs.authlib.org shows it: discovery, id, secret, scope."""
import os
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, session

app = Flask(__name__)
app.secret_key = os.urandom(16)
oauth = OAuth(app)
oauth.register(
    name="gatehouse",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + ".well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email offline_access"},
)


@app.route("/user")
def user():
    return jsonify(session.get("user"))


def keep(token):
    session["token"] = {name: token[name] for name in ("access_token", "refresh_token", "id_token", "token_type")}


@app.route("/login")
def login():
    return oauth.gatehouse.authorize_redirect(os.environ["REDIRECT_URI"])


@app.route("/callback")
def callback():
    token = oauth.gatehouse.authorize_access_token()
    session["user"] = token["userinfo"]
    keep(token)
    return redirect("/user")


@app.route("/orders")
def orders():
    return oauth.gatehouse.get(os.environ["AUDIENCE"] + "orders", token=session["token"]).json()


@app.route("/refresh")
def refresh():
    keep(oauth.gatehouse.fetch_access_token(grant_type="refresh_token", refresh_token=session["token"]["refresh_token"]))
    return orders()


@app.route("/logout")
def logout():
    hint = session["token"]["id_token"]
    session.clear()
    end = oauth.gatehouse.load_server_metadata()["end_session_endpoint"]
    return redirect(end + "?" + urlencode({"id_token_hint": hint, "post_logout_redirect_uri": os.environ["HOME_URL"]}))


app.run(port=int(os.environ["PORT"]))
