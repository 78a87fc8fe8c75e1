"""What belongs to a model of text beside its graph: tokeniser, chats, sequences; proved, shipped and replayed."""
