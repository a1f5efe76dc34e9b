"""EdgeKit: edge inference for embedded devices."""
