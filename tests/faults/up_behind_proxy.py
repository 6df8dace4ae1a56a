"""`crossfade up` whose bridge reaches Supabase through another address than everybody else: SUPABASE_FOR_BRIDGE."""

import os
from collections.abc import Mapping

from ops.cli.main import main
from ops.embedded import services
from ops.embedded.services import Addresses
from ops.machine.child import ProcessSpec

_bridge_spec = services.bridge_spec


def _behind_proxy(addresses: Addresses, environment: Mapping[str, str]) -> ProcessSpec:
    return _bridge_spec(addresses, {**environment, "SUPABASE_URL": os.environ["SUPABASE_FOR_BRIDGE"]})


if __name__ == "__main__":
    services.bridge_spec = _behind_proxy
    main()
