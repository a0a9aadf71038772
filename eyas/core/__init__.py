"""Words that every layer shares. Standard library only; nothing here touches a system."""
