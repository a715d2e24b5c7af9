"""auth0-python's authentication client, as its README shows GetToken, Users and TokenVerifier."""
import os
from urllib.parse import urlencode, urlsplit

import requests
from auth0.authentication import GetToken, Users
from auth0.authentication.token_verifier import AsymmetricSignatureVerifier, TokenVerifier
from flask import Flask, jsonify, redirect, request, session

app = Flask(__name__)
app.secret_key = os.urandom(16)
domain = urlsplit(os.environ["ISSUER"]).netloc
client_id = os.environ["CLIENT_ID"]
tokens = GetToken(domain, client_id, client_secret=os.environ["CLIENT_SECRET"])
verifier = TokenVerifier(
    signature_verifier=AsymmetricSignatureVerifier(f"https://{domain}/.well-known/jwks.json"),
    issuer=f"https://{domain}/",
    audience=client_id,
)


@app.route("/user")
def user():
    return jsonify(session.get("user"))


@app.route("/login")
def login():
    session["state"] = os.urandom(16).hex()
    return redirect(f"https://{domain}/authorize?" + urlencode({
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": os.environ["REDIRECT_URI"],
        "scope": "openid profile email offline_access",
        "state": session["state"],
    }))


@app.route("/callback")
def callback():
    assert request.args["state"] == session.pop("state")
    answer = tokens.authorization_code(request.args["code"], os.environ["REDIRECT_URI"])
    verifier.verify(answer["id_token"])
    session["user"] = Users(domain).userinfo(answer["access_token"])
    session["token"] = {name: answer[name] for name in ("access_token", "refresh_token")}
    return redirect("/user")


@app.route("/orders")
def orders():
    bearer = "Bearer " + session["token"]["access_token"]
    return requests.get(os.environ["AUDIENCE"] + "orders", headers={"Authorization": bearer}).json()


@app.route("/refresh")
def refresh():
    answer = tokens.refresh_token(session["token"]["refresh_token"])
    verifier.verify(answer["id_token"])
    session["token"] = {name: answer[name] for name in ("access_token", "refresh_token")}
    return orders()


@app.route("/logout")
def logout():
    session.clear()
    return redirect(f"https://{domain}/v2/logout?" + urlencode({"client_id": client_id, "returnTo": os.environ["HOME_URL"]}))


app.run(port=int(os.environ["PORT"]))
