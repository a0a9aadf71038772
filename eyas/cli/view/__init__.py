"""Values to text, pure: what people see. Nothing here reads, writes or asks."""
