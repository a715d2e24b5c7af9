"""PyJWT with PyJWKClient, as its "Retrieve RSA signing keys from a JWKS endpoint" shows it."""
import os

import jwt
from flask import Flask, jsonify, request

app = Flask(__name__)
keys = jwt.PyJWKClient(os.environ["ISSUER"] + ".well-known/jwks.json")


@app.errorhandler(jwt.PyJWTError)
def refused(error):
    return jsonify(error=str(error)), 401


@app.route("/orders")
def orders():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, audience=os.environ["AUDIENCE"], issuer=os.environ["ISSUER"], algorithms=["RS256"])
    return jsonify(user=claims["sub"])


app.run(port=int(os.environ["PORT"]))
