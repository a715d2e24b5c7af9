"""Flask-AppBuilder with AUTH_OAUTH and its provider "auth0", as its "Authentication: OAuth" page shows it."""
import os
import tempfile

import requests
from flask import Flask, jsonify, session
from flask_appbuilder import AppBuilder
from flask_appbuilder.security.manager import AUTH_OAUTH
from flask_appbuilder.utils.legacy import get_sqla_class
from flask_login import current_user

issuer = os.environ["ISSUER"]
app = Flask(__name__)
app.config.update(
    SECRET_KEY="of this test",
    SQLALCHEMY_DATABASE_URI="sqlite:///" + os.path.join(tempfile.mkdtemp(), "app.db"),
    AUTH_TYPE=AUTH_OAUTH,
    AUTH_USER_REGISTRATION=True,
    AUTH_USER_REGISTRATION_ROLE="Public",
    OAUTH_PROVIDERS=[{
        "name": "auth0",
        "icon": "fa-shield-halved",
        "token_key": "access_token",
        "remote_app": {
            "client_id": os.environ["CLIENT_ID"],
            "client_secret": os.environ["CLIENT_SECRET"],
            "server_metadata_url": issuer + ".well-known/openid-configuration",
            "client_kwargs": {"scope": "openid profile email"},
        },
    }],
)
db = get_sqla_class()(app)
with app.app_context():
    builder = AppBuilder(app, db.session)


@app.route("/user")
def user():
    return jsonify(email=getattr(current_user, "email", None))


@app.route("/orders")
def orders():
    return requests.get(os.environ["AUDIENCE"] + "orders", headers={"Authorization": "Bearer " + session["oauth"][0]}).json()


app.run(port=int(os.environ["PORT"]))
