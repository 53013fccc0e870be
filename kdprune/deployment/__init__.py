"""Networks as they are shipped: chosen, prepared, measured, written, certified."""
