"""Takes one letter over STARTTLS with a login, and prints it as JSON.

Prints its port, serves until its input ends, then prints what it took.
"""

import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

certificates = sys.argv[1]
taken = {}


class Receiver:
    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(
            envelope.original_content, policy=email.policy.default
        )
        for part in letter.values():
            part.encode()
        taken.update(
            subject=str(letter["subject"]),
            defects=[str(d) for d in letter.defects]
            + [str(d) for name in letter.keys() for d in letter[name].defects],
            to=[a.addr_spec for a in letter["to"].addresses],
            date=int(letter["date"].datetime.timestamp()),
            auto_submitted=str(letter["auto-submitted"]),
            alarm=str(letter["x-megawatt-alarm"]),
            text=letter.get_content(),
            recipients=envelope.rcpt_tos,
            is_private=session.ssl is not None,
        )
        taken["from"] = letter["from"].addresses[0].addr_spec
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"mw", b"hunter2"))


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(f"{certificates}/receiver.pem", f"{certificates}/receiver-key.pem")


class Server(Controller):
    def factory(self):
        return SMTP(
            Receiver(),
            tls_context=context,
            require_starttls=True,
            authenticator=login,
            auth_required=True,
        )

    def _trigger_server(self):
        # Which port it got is known only now.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


server = Server(Receiver(), hostname="127.0.0.1", port=0)
server.start()
print(server.port, flush=True)
sys.stdin.read()
server.stop()
print(json.dumps(taken))
